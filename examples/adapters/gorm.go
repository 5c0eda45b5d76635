package adapters

import "gorm.io/gorm"

// GormFirst reads the first user by rows of its own, and forgets them.
func GormFirst(db *gorm.DB) (u User, err error) {
	rows, err := db.Model(&User{}).Where("id > ?", 0).Rows()
	if err != nil {
		return u, err
	}
	if !rows.Next() {
		return u, errNoUser
	}
	return u, db.ScanRows(rows, &u)
}

// GormFirstFixed leaves the rows to gorm.
func GormFirstFixed(db *gorm.DB) (u User, err error) {
	return u, db.Where("id > ?", 0).Limit(1).Find(&u).Error
}

// GormRename forgets the transaction when the name is empty.
func GormRename(db *gorm.DB, u User) error {
	tx := db.Begin()
	if err := tx.Model(&u).Update("name", u.Name).Error; err != nil {
		return err
	}
	if u.Name == "" {
		return errNoUser
	}
	return tx.Commit().Error
}

// GormRenameFixed leaves the end to gorm.
func GormRenameFixed(db *gorm.DB, u User) error {
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Model(&u).Update("name", u.Name).Error; err != nil {
			return err
		}
		if u.Name == "" {
			return errNoUser
		}
		return nil
	})
}
